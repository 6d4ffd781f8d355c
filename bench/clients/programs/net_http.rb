# Ruby's net/http: `ruby net_http.rb`; asks as python_clients.py does.
require "net/http"

uri = URI(ENV["URL"])
request = Net::HTTP::Get.new(uri)
request["User-Agent"] = ENV["USER_AGENT"] unless ENV["USER_AGENT"].empty?
request["Cookie"] = ENV["COOKIE"] unless ENV["COOKIE"].empty?
Net::HTTP.start(uri.host, uri.port, use_ssl: true, ca_file: ENV["CA"]) { |http| puts http.request(request).code }
