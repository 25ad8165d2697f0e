-- Sends the requests in the file that is named on wrk's command line, in turn. A NUL is between two.
local requests, turn = {}, 0

function init(arguments)
  local file = assert(io.open(arguments[1], "rb"))
  for message in file:read("*a"):gmatch("%Z+") do
    requests[#requests + 1] = message
  end
  file:close()
end

function request()
  turn = turn % #requests + 1
  return requests[turn]
end
