import polka from "polka";

const version = "hello from deno, version 1";

const app = polka().get("/", (_req: unknown, res: { end(text: string): void }) => res.end(version + "\n"));
app.listen(Number(Deno.env.get("PORT") ?? 8000), Deno.env.get("HOST") ?? "127.0.0.1");
