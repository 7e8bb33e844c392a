import 'dart:io';

String greeting() => 'hello from dart, version 1\n';

Future<void> main() async {
  final host = Platform.environment['HOST'] ?? '127.0.0.1';
  final port = int.parse(Platform.environment['PORT'] ?? '8080');
  final server = await HttpServer.bind(host, port);
  ProcessSignal.sigterm.watch().listen((_) => exit(0));
  await for (final request in server) {
    request.response.headers.contentType = ContentType.text;
    request.response.write(greeting());
    await request.response.close();
  }
}
