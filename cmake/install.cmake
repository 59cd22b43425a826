# make install PREFIX=...: command, libraries, public headers, recipes, pkg-config file, CMake package.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)
install(TARGETS libhillock hillock_core ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
if(TARGET hillock)
  install(TARGETS hillock RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
endif()
install(DIRECTORY include/ DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} FILES_MATCHING PATTERN "*.h")
# hillock_ext.h, for authors of members, names the kernel table as the sources do.
install(FILES core/kernel/kernel.h DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/kernel)
install(DIRECTORY recipes DESTINATION ${CMAKE_INSTALL_DATADIR}/hillock OPTIONAL)
install(FILES LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR})

# Libraries beside those that pkg-config knows.
set(hillock_vendors "")
if(NOT onednn_found STREQUAL "no")
  list(APPEND hillock_vendors ${DNNL_LIBRARY})
endif()
if(NOT cblas_found STREQUAL "no")
  list(APPEND hillock_vendors ${OPENBLAS_LIBRARY})
endif()

# Both files find the prefix from where they lie, so that an installation may be moved.
file(RELATIVE_PATH up "/${CMAKE_INSTALL_LIBDIR}/pkgconfig" "/")
string(REGEX REPLACE "/$" "" up "${up}")
list(JOIN hillock_vendors " " vendors)
file(WRITE ${CMAKE_BINARY_DIR}/hillock.pc "\
prefix=\${pcfiledir}/${up}
Name: hillock
Description: ${PROJECT_DESCRIPTION}
Version: ${PROJECT_VERSION}
Requires: libarchive jansson libfyaml zlib libjpeg libpng
Cflags: -I\${prefix}/${CMAKE_INSTALL_INCLUDEDIR}
Libs: -L\${prefix}/${CMAKE_INSTALL_LIBDIR} -lhillock ${vendors} -lm -fopenmp -pthread
")
install(FILES ${CMAKE_BINARY_DIR}/hillock.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)

set(package_folder ${CMAKE_INSTALL_LIBDIR}/cmake/hillock)
configure_package_config_file(cmake/hillockConfig.cmake.in ${CMAKE_BINARY_DIR}/hillockConfig.cmake
  INSTALL_DESTINATION ${package_folder}
  PATH_VARS CMAKE_INSTALL_LIBDIR CMAKE_INSTALL_INCLUDEDIR)
write_basic_package_version_file(${CMAKE_BINARY_DIR}/hillockConfigVersion.cmake
  COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_BINARY_DIR}/hillockConfig.cmake
  ${CMAKE_BINARY_DIR}/hillockConfigVersion.cmake DESTINATION ${package_folder})
