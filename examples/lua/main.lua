local socket = require("socket")

local version = "hello from lua, version 1"

local server = assert(socket.bind(os.getenv("HOST") or "127.0.0.1", tonumber(os.getenv("PORT"))))

while true do
  local client = server:accept()
  client:settimeout(5)
  repeat
    local line = client:receive("*l")
  until not line or line == ""
  local body = version .. "\n"
  client:send("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: " .. #body .. "\r\nConnection: close\r\n\r\n" .. body)
  client:close()
end
