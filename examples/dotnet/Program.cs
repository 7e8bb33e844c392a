var app = WebApplication.CreateBuilder(args).Build();
app.MapGet("/", () => Greeting.Text);
app.Run();

static class Greeting
{
    public const string Text = "hello from dotnet, version 1\n";
}
