package nixtmpl

import (
	"encoding/xml"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// mavenMirror is the address that the machine's Maven settings put in the place of its central repository, "" if they put
// none.
func mavenMirror(environ []string) string {
	data, err := os.ReadFile(filepath.Join(envValue(environ, "HOME"), ".m2", "settings.xml"))
	if err != nil {
		return "" // Maven is not there, or has nothing to say
	}
	var settings struct {
		Mirrors []struct {
			Of  string `xml:"mirrorOf"`
			URL string `xml:"url"`
		} `xml:"mirrors>mirror"`
	}
	if xml.Unmarshal(data, &settings) != nil {
		return ""
	}
	for _, m := range settings.Mirrors {
		for of := range strings.SplitSeq(m.Of, ",") {
			if slices.Contains([]string{"*", "external:*", "central"}, strings.TrimSpace(of)) {
				return strings.TrimSpace(m.URL)
			}
		}
	}
	return ""
}
