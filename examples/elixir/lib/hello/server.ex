defmodule Hello.Server do
  @moduledoc "As much of HTTP as one page needs, with Erlang's own packet parser."
  use Task, restart: :permanent

  def start_link(options), do: Task.start_link(__MODULE__, :listen, [options])

  def listen(options) do
    {:ok, socket} =
      :gen_tcp.listen(options[:port], [:binary, ip: options[:ip], packet: :http_bin, active: false, reuseaddr: true])

    accept(socket)
  end

  defp accept(socket) do
    {:ok, client} = :gen_tcp.accept(socket)
    pid = spawn(fn -> serve(client) end)
    :gen_tcp.controlling_process(client, pid)
    accept(socket)
  end

  defp serve(client) do
    case :gen_tcp.recv(client, 0, 5_000) do
      {:ok, :http_eoh} -> answer(client, Hello.greeting())
      {:ok, _line} -> serve(client)
      {:error, _reason} -> :gen_tcp.close(client)
    end
  end

  defp answer(client, body) do
    :gen_tcp.send(client, [
      "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nConnection: close\r\nContent-Length: ",
      Integer.to_string(byte_size(body)),
      "\r\n\r\n",
      body
    ])

    :gen_tcp.close(client)
  end
end
