# A server of httpuv, on which shiny and plumber stand too.
greeting <- function() "hello from r, version 1\n"

app <- list(
  call = function(req) {
    list(status = 200L, headers = list("Content-Type" = "text/plain"), body = greeting())
  }
)

httpuv::runServer(
  host = Sys.getenv("HOST", "127.0.0.1"),
  port = as.integer(Sys.getenv("PORT", "8080")),
  app = app
)
