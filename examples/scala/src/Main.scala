package hello

import com.sun.net.httpserver.{HttpExchange, HttpHandler, HttpServer}
import java.net.InetSocketAddress

object Main {
  def main(args: Array[String]): Unit = {
    val host = sys.env.getOrElse("HOST", "0.0.0.0")
    val port = sys.env.getOrElse("PORT", "8080").toInt
    val server = HttpServer.create(new InetSocketAddress(host, port), 0)
    server.createContext("/", new HttpHandler {
      def handle(exchange: HttpExchange): Unit = {
        val body = "hello from scala, version 1\n".getBytes("UTF-8")
        exchange.sendResponseHeaders(200, body.length)
        exchange.getResponseBody.write(body)
        exchange.close()
      }
    })
    server.start()
  }
}
