package detect

import "testing"

func TestExplain(t *testing.T) {
	p, err := Detect(files(
		"requirements.txt", "flask\ngunicorn\n", "app.py", "app = Flask(__name__)\n", "package.json", `{"scripts":{"build":"x"}}`,
		".python-version", "3.12\n", "runtime.txt", "python-3.11.1\n", "Dockerfile", "", "hop3.toml", "[run]\nbefore-run = \"./migrate\"\n"))
	if err != nil {
		t.Fatal(err)
	}
	const want = `stack      python, weight 95
            60 requirements.txt (python project)
            25 app.py (where a program starts)
            10 .python-version (supports it)
            10 runtime.txt (supports it)
not        node, weight 60: it builds the front end of the other
            60 package.json (manifest)
frameworks flask
tool       pip, from requirements.txt
runtime    python 3.12, from .python-version
           not 3.11.1, from runtime.txt
process    web: gunicorn --bind $HOST:$PORT app:app
           from app.py:1 Flask
release    ./migrate
           from hop3.toml [run] before-run (hop3.toml:2)
front end  .: npm run build, by npm
warning    Dockerfile is not used: hop3 builds with Nix
`
	if got := Explain(p); got != want {
		t.Errorf("got\n%s", got)
	}
}
