import Foundation

struct NotListening: Error {}

/// Answers each HTTP request with what `page` returns for its path. One connection at a time, one answer each.
func serve(host: String, port: UInt16, page: (Substring) -> String) throws {
    signal(SIGPIPE, SIG_IGN)
    let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    var on: Int32 = 1
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, socklen_t(MemoryLayout<Int32>.size))
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = port.bigEndian
    address.sin_addr.s_addr = inet_addr(host)
    let bound = withUnsafePointer(to: &address) {
        $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { bind(listener, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) }
    }
    guard bound == 0, listen(listener, 64) == 0 else { throw NotListening() }
    while true {
        let client = accept(listener, nil, nil)
        if client < 0 { continue }
        answer(client, page)
        close(client)
    }
}

private func answer(_ client: Int32, _ page: (Substring) -> String) {
    var buffer = [UInt8](repeating: 0, count: 8192)
    let n = read(client, &buffer, buffer.count)
    guard n > 0 else { return }
    let words = String(decoding: buffer[..<n], as: UTF8.self).split(separator: " ", maxSplits: 2)
    guard words.count == 3 else { return }
    let body = page(words[1])
    let reply = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: \(body.utf8.count)\r\nConnection: close\r\n\r\n\(body)"
    _ = reply.withCString { write(client, $0, strlen($0)) }
}
