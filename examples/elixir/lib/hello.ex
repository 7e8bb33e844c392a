defmodule Hello do
  @moduledoc "What the app says."

  def greeting, do: "hello from elixir, version 1\n"
end
