# Where this environment's gems are. They are not linked into one folder: Ruby
# would load their files twice, by both names. The folder of this file leaves the
# load path, so that it does not stand before the gems of an application.
class << Gem
  alias upstream_default_path default_path
  def default_path
    upstream_default_path + [@gems@ "@base@/share/rubygems-integration/all"]
  end
end
$LOAD_PATH.delete("@out@/lib/ruby/boot")
$LOAD_PATH.push(@vendor@)
