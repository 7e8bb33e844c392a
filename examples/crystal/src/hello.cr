require "http/server"

VERSION = "version 1"

server = HTTP::Server.new do |context|
  context.response.content_type = "text/plain"
  context.response.print "hello from crystal, #{VERSION}\n"
end

Process.on_terminate { server.close }

server.bind_tcp ENV.fetch("HOST", "127.0.0.1"), ENV.fetch("PORT", "8000").to_i
server.listen
