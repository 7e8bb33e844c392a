defmodule Hello.Application do
  @moduledoc "Starts the server under a supervisor."
  use Application

  @impl true
  def start(_type, _args) do
    port = String.to_integer(System.get_env("PORT", "8080"))
    {:ok, host} = System.get_env("HOST", "127.0.0.1") |> String.to_charlist() |> :inet.parse_address()
    Supervisor.start_link([{Hello.Server, ip: host, port: port}], strategy: :one_for_one)
  end
end
