-- Errors have one form for whoever speaks JSON: {"code", "field", "message"}. What the services said
-- comes out of the transcoder as google.rpc.Status in JSON; what the gateway said itself has the form
-- already, but may quote a whole request and does not name the field apart.
local NAMES = {[0] = "OK", "CANCELLED", "UNKNOWN", "INVALID_ARGUMENT", "DEADLINE_EXCEEDED",
               "NOT_FOUND", "ALREADY_EXISTS", "PERMISSION_DENIED", "RESOURCE_EXHAUSTED",
               "FAILED_PRECONDITION", "ABORTED", "OUT_OF_RANGE", "UNIMPLEMENTED", "INTERNAL",
               "UNAVAILABLE", "DATA_LOSS", "UNAUTHENTICATED"}
local MESSAGE_MAX_BYTES = 1024

local function shaped(code, field, rest)
  return '{"code":"' .. code .. '","field":"' .. field .. '",' .. rest
end

-- The services' own: the field stands in the details.
local function of_services(handle, text)
  local code, rest = string.match(text, '^{"code":(%d+),(.*)$')
  if code == nil then return nil end
  local wait = string.match(rest, '"retryDelay":"([%d.]+)s"')
  if wait ~= nil then
    handle:headers():replace("retry-after", tostring(math.ceil(tonumber(wait))))
  end
  local field = string.match(rest, '"fieldViolations":%[{"field":"([^"\\]*)"') or ""
  return shaped(NAMES[tonumber(code)] or "UNKNOWN", field, rest)
end

-- The transcoder's about JSON that does not fit: "name: what is wrong". Cut before the first quote
-- or backslash where it is long, so that it stays JSON, and text in any script stays whole.
local function of_gateway(text)
  local code, message = string.match(text, '^{"code":"([%u_]+)","field":"","message":"(.*)"}')
  if code ~= "INVALID_ARGUMENT" then return nil end
  if #message > MESSAGE_MAX_BYTES then
    message = string.match(string.sub(message, 1, MESSAGE_MAX_BYTES), '^[^"\\\128-\255]*') .. "..."
  end
  local field = string.match(message, "^%(?([%a][%w_.%[%]]*)%)?: ") or ""
  return shaped(code, field, '"message":"' .. message .. '"}')
end

function envoy_on_response(handle)
  local headers = handle:headers()
  if tonumber(headers:get(":status")) < 400 or
     headers:get("content-type") ~= "application/json" then
    return
  end
  local body = handle:body() -- it is waited for: what was asked of the handle before is gone
  local text = body and body:getBytes(0, body:length()) or ""
  local better = of_services(handle, text) or of_gateway(text)
  if better ~= nil then handle:headers():replace("content-length", body:setBytes(better)) end
end
