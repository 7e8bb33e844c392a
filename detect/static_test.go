package detect

import "testing"

func FuzzStaticfile(f *testing.F) {
	f.Add("root: public\nindex_fallback: true\nstatus_codes:\n  404: /x\n")
	f.Fuzz(func(t *testing.T, src string) {
		p, err := Detect(files("Staticfile", src, "index.html", "", "public/index.html", ""))
		if err == nil && p.Static == "" {
			t.Fatalf("%q: %+v", src, p)
		}
	})
}
