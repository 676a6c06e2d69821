-- What the chat rules make of a list of messages of version 1 for a client of version 2.
local cjson = require('cjson')
local M = {}

local function message(it)
    it.body, it.text = it.text, nil
    it.author, it.user = { name = it.user }, nil
    it.sent_at, it.ts = os.date('!%Y-%m-%dT%H:%M:%SZ', it.ts / 1000), nil
end

local function translate(text)
    local messages = cjson.decode(text)
    for _, it in ipairs(messages) do
        message(it)
    end
    local timestamp = os.date('!%Y-%m-%dT%H:%M:%S.000Z', ngx.time())
    return cjson.encode({ data = messages, meta = { version = '2', timestamp = timestamp } })
end

function M.body()
    local chunks = ngx.ctx.chunks
    if not chunks then
        chunks = {}
        ngx.ctx.chunks = chunks
    end
    chunks[#chunks + 1] = ngx.arg[1]
    if ngx.arg[2] then
        ngx.arg[1] = translate(table.concat(chunks))
    else
        ngx.arg[1] = nil
    end
end

return M
