import bottle

VERSION = "hello from python, version 1"

app = bottle.Bottle()


@app.get("/")
def index():
    return VERSION + "\n"
