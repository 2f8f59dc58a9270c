-- pipe.lua - things from anywhere through functions to somewhere, one at a time: nothing is read before the end asks.
--
--     contextql.pipe(contextql.files("notes", "*.jsonl")):lines():map(contextql.json.decode)
--         :filter(function(note) return note.text ~= "" end):batch(500)
--         :each(function(notes) db:exec("UNWIND $notes AS n MERGE (:Note {text: n.text})", {notes = notes}) end)
--
-- A source is a list, or whatever can be called for the next thing and gives nil at the end: an iterator, a cursor of
-- db:query, a pipe. A step takes the pipe and gives one; each, list, fold and count are ends.
local cql = require "contextql"

local Pipe = {}
Pipe.__index = Pipe
Pipe.__call = function(self) return self.next() end

-- A pipe that has ended stays so: what is behind its source must not be asked again.
local function make(next)
    local ended = false
    return setmetatable({next = function()
        if ended then return nil end
        local thing = next()
        ended = thing == nil
        return thing
    end}, Pipe)
end

local function iterator(source)
    if type(source) == "table" and getmetatable(source) ~= Pipe then
        local i = 0
        return function() i = i + 1; return source[i] end
    end
    return function() return source() end
end

function cql.pipe(source)
    local kind = type(source)
    if kind ~= "table" and kind ~= "function" and kind ~= "userdata" then
        error("a pipe begins with a list or with something to call, not with a " .. kind, 2)
    end
    return make(iterator(source))
end

-- Things become what f makes of them; where f gives nil, nothing comes.
function Pipe:map(f)
    return make(function()
        for thing in self do
            local made = f(thing)
            if made ~= nil then return made end
        end
    end)
end

function Pipe:filter(f)
    return make(function()
        for thing in self do
            if f(thing) then return thing end
        end
    end)
end

-- The first n.
function Pipe:take(n)
    return make(function()
        if n <= 0 then return nil end
        n = n - 1
        return self()
    end)
end

-- Lists of n things; the last may be shorter.
function Pipe:batch(n)
    if math.type(n) ~= "integer" or n < 1 then error("a batch has 1 or more things", 2) end
    return make(function()
        local list = {}
        while #list < n do
            local thing = self()
            if thing == nil then break end
            list[#list + 1] = thing
        end
        if #list > 0 then return list end
    end)
end

-- File names become their lines.
function Pipe:lines()
    local lines
    return make(function()
        while true do
            local line = lines and lines()
            if line ~= nil then return line end
            local name = self()
            lines = name and io.lines(name)
            if not lines then return nil end
        end
    end)
end

-- Calls f for each thing and gives how many there were.
function Pipe:each(f)
    local count = 0
    for thing in self do
        f(thing)
        count = count + 1
    end
    return count
end

function Pipe:count() return self:each(function() end) end

function Pipe:list()
    local list = cql.list {}
    self:each(function(thing) list[#list + 1] = thing end)
    return list
end

function Pipe:fold(value, f)
    self:each(function(thing) value = f(value, thing) end)
    return value
end
