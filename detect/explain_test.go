package detect

import "testing"

func TestExplain(t *testing.T) {
	p, err := Detect(files(
		"requirements.txt", "flask\ngunicorn\n", "app.py", "app = Flask(__name__)\n", "package.json", `{"scripts":{"build":"x"}}`,
		".python-version", "3.12\n", "runtime.txt", "python-3.11.1\n", "Dockerfile", "", "hop3.toml", "[run]\nbefore-run = \"./migrate\"\n"))
	if err != nil {
		t.Fatal(err)
	}
	const want = `stack      python
           because of requirements.txt (python project)
not        node, although package.json (manifest)
frameworks flask
tool       pip, from requirements.txt
runtime    python 3.12, from .python-version
           not 3.11.1, from runtime.txt
process    web: gunicorn --bind $HOST:$PORT app:app
           from app.py:1 Flask
release    ./migrate
warning    Dockerfile is not used: hop3 builds with Nix
`
	if got := Explain(p); got != want {
		t.Errorf("got\n%s", got)
	}
}
