threads 1, ENV.fetch("RAILS_MAX_THREADS", 3)
port ENV.fetch("PORT", 3000)
