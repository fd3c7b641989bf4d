-- wrk's requests, mixed as people would: most are pictures to predict.
-- wrk … --script load.lua URL -- MILLISECONDS PICTURE…: each connection waits so long, on average,
-- before each request; 0 is as fast as the server can. It prints the number of responses by status.
local threads, pause, pictures = {}, 0, {}
counts = {}

function setup(thread) table.insert(threads, thread) end

local function form(contents)
  local parts = {}
  for number, content in ipairs(contents) do
    parts[number] = "--b\r\nContent-Disposition: form-data; name=\"pictures\"; filename=\"" .. number
      .. ".jpg\"\r\n\r\n" .. content .. "\r\n"
  end
  local headers = {["Content-Type"] = "multipart/form-data; boundary=b"}
  return headers, table.concat(parts) .. "--b--\r\n"
end

local function any() return pictures[math.random(#pictures)] end

function init(arguments)
  pause = tonumber(arguments[1])
  for number = 2, #arguments do
    pictures[number - 1] = assert(io.open(arguments[number], "rb")):read("*a")
  end
  math.randomseed(tonumber(tostring(counts):match("0x(%x+)"), 16))
end

-- Never as long as the 5 s after which the server closes a connection.
function delay() return pause > 0 and math.random(0, 2 * pause) or 0 end

function request()
  local kind, path = math.random(100), wrk.path
  if kind <= 5 then return wrk.format("GET", path) end -- the page
  if kind <= 10 then return wrk.format("GET", path .. "v1/networks") end
  local contents = {any()}
  if kind <= 15 then contents = {any(), any(), any(), any()} end
  if kind <= 20 and kind > 15 then contents = {"no picture"} end
  local what = kind == 21 and "v1/explain" or "v1/predict"
  return wrk.format("POST", path .. what, form(contents))
end

function response(status) counts[status] = (counts[status] or 0) + 1 end

function done(summary, latency)
  local all = {}
  for _, thread in ipairs(threads) do
    for status, count in pairs(thread:get("counts")) do all[status] = (all[status] or 0) + count end
  end
  local errors = summary.errors
  local lost = errors.connect + errors.read + errors.write + errors.timeout
  io.write(string.format("seconds %.1f p50 %.0f p99 %.0f lost %d", summary.duration / 1e6,
    latency:percentile(50) / 1e3, latency:percentile(99) / 1e3, lost))
  for status, count in pairs(all) do io.write(string.format(" %d %d", status, count)) end
  io.write("\n")
end
