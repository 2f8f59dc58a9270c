#!/usr/bin/env contextql
-- notes.lua - keeps notes in a graph: every line of DIRECTORY/*.jsonl is a note {"text", "about": ["name", ..]}.
--
--     contextql notes.cqldb notes.lua DIRECTORY
--
-- A note is known by its text, so the pipeline can be run again when files have grown.
local cql = require "contextql"
local directory = arg[1] or "."

if #db:all "SHOW CONSTRAINTS" == 0 then
    db:exec "CREATE CONSTRAINT note_text FOR (n:Note) REQUIRE n.text IS UNIQUE"
    db:exec "CREATE CONSTRAINT topic_name FOR (t:Topic) REQUIRE t.name IS UNIQUE"
end

local keep <close> = db:prepare [[
    UNWIND $notes AS note
    MERGE (n:Note {text: note.text})
    WITH n, note UNWIND note.about AS name
    MERGE (t:Topic {name: name})
    MERGE (n)-[:ABOUT]->(t)]]

local files = cql.pipe(cql.files(directory, "*.jsonl"))
local batches = files:lines():map(cql.json.decode):filter(function(note) return note.text ~= nil end):batch(500)
batches:each(function(notes) keep:exec {notes = notes} end)

for row in db:query "MATCH (t:Topic)<-[:ABOUT]-(n) RETURN t.name AS topic, count(n) AS notes ORDER BY notes DESC, topic LIMIT 10" do
    print(row.notes, row.topic)
end
