from flask import Flask

VERSION = "hello from python, version 1"

app = Flask(__name__)


@app.get("/")
def index():
    return VERSION + "\n"
