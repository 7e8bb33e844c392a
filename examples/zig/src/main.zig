const std = @import("std");

const page = "hello from zig, version 1\n";

pub fn main() !void {
    const host = std.posix.getenv("HOST") orelse "127.0.0.1";
    const port = try std.fmt.parseInt(u16, std.posix.getenv("PORT") orelse "8000", 10);
    const address = try std.net.Address.parseIp(host, port);
    var listener = try address.listen(.{ .reuse_address = true });
    while (true) {
        const connection = try listener.accept();
        defer connection.stream.close();
        answer(connection) catch {}; // a client that went away
    }
}

fn answer(connection: std.net.Server.Connection) !void {
    var buffer: [8192]u8 = undefined;
    var server = std.http.Server.init(connection, &buffer);
    var request = try server.receiveHead();
    try request.respond(page, .{ .keep_alive = false });
}
