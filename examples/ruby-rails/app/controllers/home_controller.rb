class HomeController < ActionController::Base
  VERSION = "hello from ruby, version 1"

  def index
    @version = VERSION
  end
end
