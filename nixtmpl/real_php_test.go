package nixtmpl

import "testing"

// TestReal_PHP builds, serves and stops the example of one file: php-fpm behind Caddy.
func TestReal_PHP(t *testing.T) { lifecycle(t, newRig(t).example(t, "php"), "index.php", "README.md") }
