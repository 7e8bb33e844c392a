//go:build slow

package nixtmpl

import "testing"

// TestReal_PHPComposer builds an app with Composer and a package of its own.
func TestReal_PHPComposer(t *testing.T) {
	lifecycle(t, newRig(t).example(t, "php-composer"), "src/Page.php", "README.md")
}
