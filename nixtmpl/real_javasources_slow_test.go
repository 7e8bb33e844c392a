//go:build slow

package nixtmpl

import (
	"os"
	"testing"
)

// TestReal_JavaSources builds a program without a build file: the JDK alone compiles it, a small machine runs it.
func TestReal_JavaSources(t *testing.T) {
	src, err := os.ReadFile("../examples/java/src/main/java/hello/Main.java")
	if err != nil {
		t.Fatal(err)
	}
	a := newRig(t).tree(t, "java-sources", map[string]string{"src/hello/Main.java": string(src), "README.md": "x\n"})
	lifecycle(t, a, "src/hello/Main.java", "README.md")
}
