{-# LANGUAGE OverloadedStrings #-}

module Main (main) where

import Data.ByteString.Lazy (ByteString)
import Data.Maybe (fromMaybe)
import Data.String (fromString)
import Network.HTTP.Types (status200)
import Network.Wai (responseLBS)
import Network.Wai.Handler.Warp (defaultSettings, runSettings, setHost, setPort)
import System.Environment (lookupEnv)

page :: ByteString
page = "hello from haskell, version 1\n"

main :: IO ()
main = do
  host <- fromMaybe "127.0.0.1" <$> lookupEnv "HOST"
  port <- maybe 8000 read <$> lookupEnv "PORT"
  let settings = setHost (fromString host) (setPort port defaultSettings)
  runSettings settings $ \_ respond -> respond (responseLBS status200 [("Content-Type", "text/plain")] page)
