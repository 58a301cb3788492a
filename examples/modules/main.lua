-- `require` finds files beside the script, nowhere else.
local greet = require("greet")
print(greet.hello("world"))
