-- `http-request lua.doorward URL` sends a subrequest to Doorward. If Doorward allows the request, it continues with
-- the X-Auth-* headers of the answer. If Doorward rejects it, the client gets that answer; if Doorward is
-- unreachable, 503. Connections to Doorward are reused.
--
-- A browser's request for a page goes to the login page instead of 401, and to the page of the second factor instead of
-- such a 403. If there is no login page, leave the lines with `page_for` out.

-- The headers that Doorward reads; the last line is the trace and the id of the request. No other header is sent.
local ASKED_WITH = {
    "authorization", "cookie", "origin", "sec-fetch-site", "host",
    "x-forwarded-for", "x-forwarded-proto", "x-forwarded-host",
    "traceparent", "tracestate", "x-request-id",
}
local IDENTITY = {
    "x-auth-user", "x-auth-actor", "x-auth-token-id", "x-auth-slug",
    "x-auth-backend", "x-auth-device", "x-auth-expires-in", "x-auth-scopes", "x-auth-via",
}
-- HAProxy retries an unanswered subrequest three times.
local TIMEOUT_MS = 750

-- Returns the values of a header in order. HAProxy counts them from 0.
local function values(header)
    local list = {}
    local index = 0
    while header and header[index] do
        list[index + 1] = header[index]
        index = index + 1
    end
    return list
end

-- Tells whether a browser asks for a page of this site. `//` or a backslash in a path can lead a browser to another site.
local function is_page(txn, headers)
    local accept, mode = values(headers["accept"])[1] or "", values(headers["sec-fetch-mode"])[1]
    return txn.f:method() == "GET"
        and accept:lower():find("^text/html") ~= nil
        and (mode == nil or mode == "navigate")
        and txn.f:path():find("//", 1, true) == nil
        and txn.f:path():find("\\", 1, true) == nil
end

-- Returns the page that a browser is sent to instead of an answer, or nil.
local function page_for(answer)
    if answer.status == 401 then
        return "/login"
    elseif answer.status == 403 and values(answer.headers["x-auth-reason"])[1] == "second-factor" then
        return "/second-factor"
    end
end

-- The address comes from the request line only. No header of the client has a part in it.
local function send_to(txn, page)
    local from = txn.f:pathq():gsub("[^%w%-._~]", function(character)
        return ("%%%02X"):format(character:byte())
    end)
    local reply = txn:reply({ status = 302 })
    reply:add_header("location", page .. "?next=" .. from)
    reply:add_header("cache-control", "no-store")
    txn:done(reply)
end

local function refuse(txn, status, headers)
    local reply = txn:reply({ status = status })
    for name, header in pairs(headers) do
        -- The body is empty; HAProxy sets Content-Length itself.
        if name ~= "content-length" and name ~= "connection" and name ~= "date" then
            for _, value in ipairs(values(header)) do
                reply:add_header(name, value)
            end
        end
    end
    txn:done(reply)
end

core.register_action("doorward", { "http-req" }, function(txn, url)
    local present = txn.http:req_get_headers()
    local sent = { ["x-forwarded-method"] = { txn.f:method() }, ["x-forwarded-uri"] = { txn.f:pathq() } }
    for _, name in ipairs(ASKED_WITH) do
        local list = values(present[name])
        if #list > 0 then
            sent[name] = list
        end
    end

    local asked, answer = pcall(function()
        return core.httpclient():get({ url = url, headers = sent, timeout = TIMEOUT_MS })
    end)
    local status = asked and answer and answer.status or 0
    local page = asked and answer and page_for(answer)
    if page and is_page(txn, present) then
        return send_to(txn, page)
    end
    if status == 401 or status == 403 then
        return refuse(txn, status, answer.headers)
    end
    if status ~= 200 then
        return refuse(txn, 503, { ["retry-after"] = { [0] = "1" }, ["cache-control"] = { [0] = "no-store" } })
    end
    for _, name in ipairs(IDENTITY) do
        txn.http:req_del_header(name)
        for _, value in ipairs(values(answer.headers[name])) do
            txn.http:req_add_header(name, value)
        end
    end
end, 1)
