require_relative "boot"

require "rails"
require "action_controller/railtie"
require "action_view/railtie"

Bundler.require(*Rails.groups)

module Hello
  class Application < Rails::Application
    config.load_defaults 7.2
    config.eager_load = Rails.env.production?
    config.logger = ActiveSupport::Logger.new($stdout)
    config.hosts.clear # the router passes on only the app's own names
  end
end
