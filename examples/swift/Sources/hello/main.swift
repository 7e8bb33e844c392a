import Foundation

let environment = ProcessInfo.processInfo.environment
let host = environment["HOST"] ?? "127.0.0.1"
let port = UInt16(environment["PORT"] ?? "") ?? 8000

try serve(host: host, port: port) { _ in
    "hello from swift, version 1\n"
}
