-- Who calls? A judged token or the key of `x-api-key` gives a role and a name; the services hear the
-- role, the filters behind this one and the access log hear the name. Should this script ever fail,
-- Envoy passes the call on without a role, and the services let a gateway without one do nothing
-- but ask for health and reflection.
--
-- Keys are known by their SHA-256 only. A key that was found is remembered by each worker, so that
-- it is hashed once; there are as many of these as lines in the keys file. What was not found is
-- hashed each time.
--
-- The renderer puts before this text CALLERS, {[sha256] = {role, name}}; TOKENS, whether a filter for
-- tokens stands before; TRACES, whether calls without a trace id get one here. It runs for every
-- call, so it asks Envoy for as little as it can: each question costs more than all the rest.
local ROLES = {storefront = true, trainer = true, operator = true, marketer = true,
               ["read-only"] = true}
local KEY_MAX_BYTES = 256
local NAMESPACE = "vitrine"
local TOKEN_NAMESPACE = "envoy.filters.http.jwt_authn"

local band, bor, bnot, bxor = bit.band, bit.bor, bit.bnot, bit.bxor
local ror, rshift, lshift, tobit = bit.ror, bit.rshift, bit.lshift, bit.tobit

-- The first 32 bits of the fractions of the roots of the first primes (FIPS 180-4, 4.2.2 and 5.3.3).
local function fraction_bits(root)
  return tobit(math.floor((root - math.floor(root)) * 4294967296))
end

local K, H = {}, {}
do
  local n, candidate = 0, 2
  while n < 64 do
    local is_prime = true
    for d = 2, math.floor(math.sqrt(candidate)) do
      if candidate % d == 0 then is_prime = false break end
    end
    if is_prime then
      n = n + 1
      K[n] = fraction_bits(candidate ^ (1 / 3))
      if n <= 8 then H[n] = fraction_bits(math.sqrt(candidate)) end
    end
    candidate = candidate + 1
  end
end

local function words_of_block(text, offset)
  local w = {}
  for i = 1, 16 do
    local a, b, c, d = string.byte(text, offset + 4 * i - 3, offset + 4 * i)
    w[i] = bor(lshift(a, 24), lshift(b, 16), lshift(c, 8), d)
  end
  for i = 17, 64 do
    local x, y = w[i - 15], w[i - 2]
    w[i] = tobit(w[i - 16] + w[i - 7] + bxor(ror(x, 7), ror(x, 18), rshift(x, 3)) +
                 bxor(ror(y, 17), ror(y, 19), rshift(y, 10)))
  end
  return w
end

local function add_block(state, text, offset)
  local w = words_of_block(text, offset)
  local a, b, c, d, e, f, g, h = unpack(state)
  for i = 1, 64 do
    local t1 = tobit(h + bxor(ror(e, 6), ror(e, 11), ror(e, 25)) +
                     bxor(band(e, f), band(bnot(e), g)) + K[i] + w[i])
    local t2 = tobit(bxor(ror(a, 2), ror(a, 13), ror(a, 22)) +
                     bxor(band(a, b), band(a, c), band(b, c)))
    a, b, c, d, e, f, g, h = tobit(t1 + t2), a, b, c, tobit(d + t1), e, f, g
  end
  for i, value in ipairs({a, b, c, d, e, f, g, h}) do
    state[i] = tobit(state[i] + value)
  end
end

-- 64 hexadecimal digits. For texts of less than 2^29 bytes.
local function sha256(text)
  local padding = string.rep("\0", (55 - #text) % 64)
  local bits = #text * 8
  local length = string.char(0, 0, 0, 0, band(rshift(bits, 24), 255), band(rshift(bits, 16), 255),
                             band(rshift(bits, 8), 255), band(bits, 255))
  local padded = text .. "\128" .. padding .. length
  local state = {unpack(H)}
  for offset = 0, #padded - 64, 64 do
    add_block(state, padded, offset)
  end
  local digits = {}
  for i = 1, 8 do digits[i] = bit.tohex(state[i]) end
  return table.concat(digits)
end

-- Every worker has a Lua of its own, and all would begin with the same numbers.
math.randomseed((os.time() + tonumber(string.match(tostring({}), "0x(%x+)") or "0", 16)) % 2147483648)

local known = {}

local function caller_by_key(key)
  local caller = known[key]
  if caller == nil and #key <= KEY_MAX_BYTES then
    caller = CALLERS[sha256(key)]
    known[key] = caller
  end
  return caller
end

-- {role, name} of a token that the filter before has judged, or nil: no token came. Its subject may
-- be a customer, and no log may tell who that is; the rate filter reads it for itself.
local function caller_by_token(metadata)
  local noted = TOKENS and metadata:get(TOKEN_NAMESPACE) or nil
  local claims = noted and noted.claims
  return claims and {tostring(claims.role), "token"}
end

-- The id of a call that came with one is noted by the filter before this.
local function give_trace(headers, metadata)
  local r = math.random
  local id = string.format("%08x%08x%08x%08x", r(0, 4294967295), r(0, 4294967295),
                           r(0, 4294967295), r(1, 4294967295))
  headers:replace("traceparent", string.format("00-%s-%08x%08x-00", id, r(0, 4294967295),
                                               r(1, 4294967295)))
  metadata:set(NAMESPACE, "trace_id", id)
end

local function refuse(handle, status, text)
  handle:respond({[":status"] = status, ["www-authenticate"] = status == "401" and "ApiKey" or nil},
                 text)
end

function envoy_on_request(handle)
  local headers, metadata = handle:headers(), handle:streamInfo():dynamicMetadata()
  local caller = caller_by_token(metadata)
  if caller == nil then
    local key = headers:get("x-api-key")
    if key == nil then
      return refuse(handle, "401", "a key is missing: send it as x-api-key")
    end
    caller = caller_by_key(key)
    if caller == nil then return refuse(handle, "401", "nobody has this key") end
  end
  if not ROLES[caller[1]] then
    return refuse(handle, "403", "the claim role of the token names no role that exists")
  end
  headers:replace("vitrine-role", caller[1])
  metadata:set(NAMESPACE, "client", caller[2])
  if TRACES and headers:get("traceparent") == nil then give_trace(headers, metadata) end
end
