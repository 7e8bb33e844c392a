require "sinatra/base"

VERSION = "hello from ruby, version 1"

class App < Sinatra::Base
  set :host_authorization, permitted_hosts: [] # the server routes only its own names here

  get("/") do
    content_type :text
    VERSION + "\n"
  end
end
