package nixtmpl

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
)

func TestFetchEnv_MavenMirror(t *testing.T) {
	home := t.TempDir()
	if err := os.Mkdir(filepath.Join(home, ".m2"), 0o755); err != nil {
		t.Fatal(err)
	}
	const settings = `<settings><mirrors><mirror><mirrorOf>other</mirrorOf><url>x</url></mirror>
		<mirror><mirrorOf>external:*,!own</mirrorOf><url> http://localhost:1/maven </url></mirror></mirrors></settings>`
	if err := os.WriteFile(filepath.Join(home, ".m2/settings.xml"), []byte(settings), 0o644); err != nil {
		t.Fatal(err)
	}
	env := FetchEnv(t.Context(), []string{"HOME=" + home})
	if !slices.Contains(env, "MAVEN_MIRROR_URL=http://localhost:1/maven") {
		t.Errorf("%q", env)
	}
}
