-- A strategy of one's own: what is near in meaning to a guitar, but seldom spoken of. It gets one number a leg.
contextql.rank("obscure", function(similarity, words, kinds)
    return similarity / (1 + math.log(words + kinds, 2))
end)

local rows = db:query [[
    MATCH (:Word {lemma: 'guitar'})-[:SENSE]->(g:Noun) WITH g LIMIT 1
    MATCH (s:Noun {domain: 'noun.artifact'})<-[:SENSE]-(w)
    OPTIONAL MATCH (s)<-[:HYPERNYM]-(below)
    WITH g, s, count(DISTINCT w) AS words, count(DISTINCT below) AS kinds
    RANK BY obscure(VECTOR s.lsa SIMILAR TO g.lsa, words, kinds) LIMIT 5
    RETURN s.lemma AS lemma, words, kinds, rank_score AS score]]

print("\n// Graph, vector and a strategy written in Lua (examples/wordnet/demo.lua): near in meaning, seldom spoken of.")
for row in rows do
    print(("%-28s %d words %d kinds  %.3f"):format(row.lemma, row.words, row.kinds, row.score))
end
