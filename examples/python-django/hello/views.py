from django.http import HttpResponse

VERSION = "hello from python, version 1"


def index(request):
    return HttpResponse(VERSION + "\n", content_type="text/plain")
