import com.sun.net.httpserver.HttpServer
import java.net.InetSocketAddress

fun main() {
    val server = HttpServer.create(InetSocketAddress(System.getenv("HOST") ?: "0.0.0.0", (System.getenv("PORT") ?: "8080").toInt()), 0)
    server.createContext("/") { exchange ->
        val body = "hello from kotlin, version 1\n".toByteArray()
        exchange.sendResponseHeaders(200, body.size.toLong())
        exchange.responseBody.use { it.write(body) }
    }
    server.start()
}
