//go:build slow

package main

import "testing"

// TestScriptSlow pushes the stacks whose compilers take longer than the rest of the tests together: make test-all.
func TestScriptSlow(t *testing.T) { runScripts(t, "testdata/script/slow") }
