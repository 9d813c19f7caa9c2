-- Sends a browser's request for a page that may not pass to the login page, or to the page of the second factor. Every
-- other request gets Doorward's 401 or 403. The filter stands before `ext_authz`; envoy-http.yaml and envoy-grpc.yaml use it.

local LOGIN = "/login"
local SECOND_FACTOR = "/second-factor"

-- Tells whether a browser asks for a page of this site. `//` or a backslash in a path can lead a browser to another site.
local function is_page(headers)
    local mode = headers:get("sec-fetch-mode")
    local path = headers:get(":path"):match("^[^?]*")
    return headers:get(":method") == "GET"
        and (headers:get("accept") or ""):lower():find("^text/html") ~= nil
        and (mode == nil or mode == "navigate")
        and path:find("//", 1, true) == nil
        and path:find("\\", 1, true) == nil
end

local function encoded(text)
    return (text:gsub("[^%w%-._~]", function(character)
        return ("%%%02X"):format(character:byte())
    end))
end

-- The address comes from the request line only. No header of the client has a part in it.
function envoy_on_request(handle)
    if is_page(handle:headers()) then
        handle:streamInfo():dynamicMetadata():set("login", "next", encoded(handle:headers():get(":path")))
    end
end

-- Returns the page that a browser is sent to instead of an answer, or nil.
local function page_for(headers)
    local status = headers:get(":status")
    if status == "401" then
        return LOGIN
    elseif status == "403" and headers:get("x-auth-reason") == "second-factor" then
        return SECOND_FACTOR
    end
end

function envoy_on_response(handle)
    local noted = handle:streamInfo():dynamicMetadata():get("login") or {}
    -- The filter `passed` notes that the request has passed. The application's own answers are not changed.
    if noted["passed"] then
        return
    end
    local headers = handle:headers()
    -- Over HTTP, `ext_authz` loses the `Retry-After` of Doorward.
    if headers:get(":status") == "503" then
        headers:replace("retry-after", "1")
    end
    local page = page_for(headers)
    if page and noted["next"] then
        headers:replace(":status", "302")
        headers:replace("location", page .. "?next=" .. noted["next"])
        headers:remove("www-authenticate")
        headers:remove("x-auth-reason")
    end
end
