-- init.lua - read when a session begins at a terminal. Put a copy into ~/.config/contextql/init.lua and take the marks away from
-- what you want. `contextql` is the module, `db` the database; contextql-lua(7) tells all of it.

-- A function for every statement: RETURN slug('A Title') gives 'a-title'.
-- contextql.func("slug", {args = {"STRING"}, returns = "STRING"}, function(text)
--     return (text:lower():gsub("%W+", "-"):gsub("^%-+", ""):gsub("%-+$", ""))
-- end)

-- A strategy for RANK BY: similarity that fades with age in days.
-- contextql.rank("fading", {inputs = {"score", "age"}, params = {half_life = 30}}, function(score, age, p)
--     return score * 2 ^ (-age / p.half_life)
-- end)

-- A command: `:labels` at the prompt.
-- contextql.command("labels", {help = "labels by their number of nodes"}, function()
--     for row in db:query("SHOW LABELS") do print(row.label, row.nodes) end
-- end)

-- A prompt of your own, with zsh's escapes; at the right the time, and how long the last text took.
-- contextql.prompt("%F{cyan}%d%f%x> ")
-- contextql.rprompt("%t %ss")

-- A key: Ctrl-T wraps the text in a count.
-- contextql.key("Ctrl-T", function(before, after) return before .. "count(", ")" .. after end)

-- Colours, completions, and what is called when a statement is through.
-- contextql.theme("light"); contextql.theme{keyword = "1;35"}
-- contextql.completer(function(word, before) return {"my_function("} end)
-- contextql.on("result", function(e) if e.seconds > 1 then print("slow: " .. e.statement) end end)
