# Debian divides Ruby's library into several folders below /usr, whose names are
# inside libruby. Here it is one folder, and so is the list inside libruby.
api=$(ls lib/ruby | grep '^[0-9]')
own=lib/ruby/$api
for part in lib/x86_64-linux-gnu/ruby/$api lib/ruby/vendor_ruby; do
  cp -a $part/. $own/
  rm -rf $part
done
ln -s ../../ruby/$api lib/x86_64-linux-gnu/ruby/$api
mkdir -p lib/ruby/site_ruby

library=$(ls lib/x86_64-linux-gnu/libruby-*.so.*.*.*)
first=/usr/local/lib/site_ruby/$api
end=$(strings -t d "$library" | grep -F " /usr/lib/x86_64-linux-gnu/ruby/$api" | awk '{ print $1 + length($2) }')
start=$(strings -t d "$library" | grep -F " $first" | awk '{ print $1 }')
list=$(printf '%s|%s||' "$out/lib/ruby/site_ruby" "$out/$own")
[ ${#list} -le $((end - start)) ]
printf %s "$list" | tr '|' '\000' | dd of="$library" bs=1 seek="$start" conv=notrunc 2>/dev/null

config=$own/rbconfig.rb
sed -i -e "s|^  TOPDIR = .*|  TOPDIR = \"$out\"|" -e "s|\"\$(DESTDIR)/usr/local/lib/x86_64-linux-gnu/site_ruby\"|\"\$(sitedir)\"|" \
  -e "s|\"\$(DESTDIR)/usr/local/lib/site_ruby\"|\"$out/lib/ruby/site_ruby\"|" -e 's|"$(sitedir)/$(ruby_version)"|"$(sitedir)"|' \
  -e 's|"$(RUBY_BASE_NAME)3.3"|"$(RUBY_BASE_NAME)"|' -e "s|\"/usr\"|\"$out\"|" -e 's|/usr/bin/install|install|g' -e 's|/bin/mkdir|mkdir|g' -e 's|/bin/grep|grep|g' \
  -e "s|\"/bin/sh\"|\"$shell\"|" -e 's|x86_64-linux-gnu-\([a-z+-]*\)|\1|g' "$config"

for program in bin/*3.3; do
  name=${program%3.3}
  [ -e "$name" ] || ln -s "${program##*/}" "$name"
done
cat > $own/rubygems/defaults/operating_system.rb <<END
class << Gem
  alias upstream_default_path default_path
  def default_path
    upstream_default_path + ["$out/share/rubygems-integration/all"]
  end
end
END
grep -lE '^#! */usr/bin/(env )?ruby' bin/* | while read -r script; do sed -i "1s|.*|#!$out/bin/ruby|" "$script"; done
