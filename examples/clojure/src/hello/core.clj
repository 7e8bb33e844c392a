(ns hello.core
  (:require [ring.adapter.jetty :as jetty])
  (:gen-class))

(defn handler [_request]
  {:status 200
   :headers {"Content-Type" "text/plain"}
   :body "hello from clojure, version 1\n"})

(defn -main [& _args]
  (jetty/run-jetty handler {:host (or (System/getenv "HOST") "0.0.0.0")
                            :port (Integer/parseInt (or (System/getenv "PORT") "8080"))}))
