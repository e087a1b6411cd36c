// Not part of the build: layering.cmake must refuse both lines below.
#pragma once
#include <boost/asio.hpp>

#include "net/uri.h"
