//go:build slow

package nixtmpl

import "testing"

// TestReal_PHP builds the PHP examples: one file, and an app with Composer and a package of its own.
func TestReal_PHP(t *testing.T) {
	for name, file := range map[string]string{"php": "index.php", "php-composer": "src/Page.php"} {
		t.Run(name, func(t *testing.T) { lifecycle(t, newRig(t).example(t, name), file, "README.md") })
	}
}
