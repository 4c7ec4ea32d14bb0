-- Asks addresses in turn, from the file that REQUESTS names, and tells what came of it in one line.
local paths = {}
for line in io.lines(os.getenv("REQUESTS")) do paths[#paths + 1] = line end
local next_path = 0

request = function()
  next_path = next_path % #paths + 1
  return wrk.format("GET", paths[next_path])
end

done = function(summary, latency, requests)
  local errors = summary.errors
  local bad = errors.connect + errors.read + errors.write + errors.status + errors.timeout
  io.write(string.format(
    'FOUND {"requests": %d, "seconds": %.3f, "bad": %d, "p50": %.3f, "p95": %.3f}\n',
    summary.requests, summary.duration / 1e6, bad,
    latency:percentile(50) / 1000, latency:percentile(95) / 1000))
end
