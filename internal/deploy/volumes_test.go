package deploy

import (
	"fmt"
	"testing"

	"hop3/detect"
)

func TestVolumesOf(t *testing.T) {
	got, err := volumesOf([]detect.Volume{{Name: "", Path: "public/Uploads"}, {Name: "cache", Path: "/var/cache/app"}, {Name: "db", Path: "./db/"}, {Name: "sub", Path: "/data/sub"}})
	if want := "[{uploads /app/public/Uploads} {cache /var/cache/app} {db /app/db} {sub /data/sub}]"; err != nil || fmt.Sprint(got) != want {
		t.Errorf("%v %v, want %s", got, err, want)
	}
	for _, bad := range [][]detect.Volume{
		{{Path: "/etc"}}, {{Path: "/etc/ssl"}}, {{Path: "/proc/1"}}, {{Path: "/"}}, {{Path: "../etc/x"}}, {{Path: "/nix/store/x"}}, {{Path: "/app"}}, {{Path: "."}},
		{{Path: "/data"}}, {{Path: "/bin/x"}}, {{Name: "..", Path: "x"}}, {{Name: "a/b", Path: "x"}}, {{Name: "A", Path: "x"}}, {{Name: "a", Path: "x"}, {Name: "a", Path: "y"}},
		{{Name: "a", Path: "x"}, {Name: "b", Path: "/app/x"}}, {{Path: "x\x00y", Name: "a"}},
	} {
		if got, err := volumesOf(bad); err == nil {
			t.Errorf("%q became %v", bad, got)
		}
	}
}
