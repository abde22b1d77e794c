-- The action `lua.optix <service> <query>` asks a service whether a request may go on, as its forward-auth for Traefik is
-- asked. Where it may not, the service's own answer goes to the client: 401, 403, 429 or 503. Where it may, the identity
-- headers are put on the request.
--
-- haproxy.cfg beside has the settings.

local function setting(name)
  return os.getenv(name) or error(name .. ' is not set')
end

local services = {
  identity = {
    address = setting('ASK_IDENTITY'),
    authorization = 'Bearer ' .. setting('OPTIX_IDENTITY_KEY'),
  },
  ratelimit = {
    address = setting('ASK_RATELIMIT'),
    authorization = 'Bearer ' .. setting('OPTIX_RATELIMIT_KEY'),
  },
}

local IDENTITY_HEADERS = {
  'x-auth-user-id', 'x-auth-session-id', 'x-auth-roles', 'x-auth-acr', 'x-auth-time',
}
local LIMIT_HEADERS = {
  'x-ratelimit-limit', 'x-ratelimit-remaining', 'x-ratelimit-reset', 'x-ratelimit-bypass', 'ratelimit', 'ratelimit-policy',
}
local PROBLEM = 'application/problem+json'
local REFUSALS = { [401] = true, [403] = true, [429] = true, [503] = true }
-- Of a refusal; what HAProxy writes itself is not among them.
local REFUSAL_HEADERS = { 'content-type', 'cache-control', 'www-authenticate', 'retry-after', 'x-request-id' }
for _, name in ipairs(LIMIT_HEADERS) do table.insert(REFUSAL_HEADERS, name) end

-- All values of a header: HAProxy counts them from 0.
local function values(headers, name)
  local found = {}
  local list = headers[name]
  local at = 0
  while list ~= nil and list[at] ~= nil do
    table.insert(found, list[at])
    at = at + 1
  end
  return found
end

local function question(txn, service, query)
  local sent = txn.http:req_get_headers()
  local headers = {
    ['x-optix-authorization'] = { service.authorization },
    ['x-forwarded-method'] = { txn.sf:method() },
    ['x-forwarded-uri'] = { txn.sf:pathq() },
    ['x-forwarded-host'] = { txn.sf:req_fhdr('host') },
    -- Behind another proxy: `http-request set-src` makes this the client's address.
    ['x-forwarded-for'] = { txn.sf:src() },
  }
  -- Of the client's own only what the answer can depend on.
  local counted = query:match('by=header:([%w-]+)')
  for _, name in ipairs({ 'authorization', counted and counted:lower() }) do
    local found = values(sent, name)
    if #found > 0 then headers[name] = found end
  end
  return {
    url = 'http://' .. service.address .. '/forward-auth/traefik?' .. query,
    headers = headers,
  }
end

-- Whether the answer is for the client. Else there was none, or it says that this configuration is wrong.
local function is_refusal(response)
  return REFUSALS[response.status] and values(response.headers, 'content-type')[1] == PROBLEM
end

local function refuse(txn, response)
  local reply = txn:reply()
  if is_refusal(response) then
    reply:set_status(response.status)
    for _, name in ipairs(REFUSAL_HEADERS) do
      for _, value in ipairs(values(response.headers, name)) do reply:add_header(name, value) end
    end
    reply:set_body(response.body)
  else
    txn:Warning('a request is refused: its question was answered ' .. tostring(response.status))
    reply:set_status(503)
    reply:add_header('content-type', PROBLEM)
    reply:add_header('retry-after', '1')
    reply:set_body('{"type":"about:blank","title":"Service Unavailable","status":503}')
  end
  txn:done(reply)
end

core.register_action('optix', { 'http-req' }, function(txn, service, query)
  local response = core.httpclient():get(question(txn, services[service], query))
  if response.status ~= 200 then return refuse(txn, response) end
  for _, name in ipairs(IDENTITY_HEADERS) do
    local value = values(response.headers, name)[1] or ''
    if value ~= '' then txn.http:req_set_header(name, value) end
  end
  txn:set_priv(response.headers)
  txn:set_var('txn.optix_asked', true)
end, 2)

core.register_action('optix_limit', { 'http-res' }, function(txn)
  for _, name in ipairs(LIMIT_HEADERS) do
    local value = values(txn:get_priv() or {}, name)[1]
    if value ~= nil then txn.http:res_set_header(name, value) end
  end
end)
