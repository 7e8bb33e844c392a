//go:build slow

package nixtmpl

import "testing"

// TestReal_JVM builds the examples of the Java machine's stacks: Maven and Leiningen with what Debian packages of their
// repository, Gradle without dependencies, Kotlin and Scala by their compilers.
func TestReal_JVM(t *testing.T) {
	for _, c := range []struct{ name, file string }{
		{"java", "src/main/java/hello/Main.java"},
		{"java-gradle", "src/main/java/hello/Main.java"},
		{"kotlin", "src/Main.kt"},
		{"scala", "src/Main.scala"},
		{"clojure", "src/hello/core.clj"},
	} {
		t.Run(c.name, func(t *testing.T) { lifecycle(t, newRig(t).example(t, c.name), c.file, "README.md") })
	}
}
